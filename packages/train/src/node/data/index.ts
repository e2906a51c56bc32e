// Data sets that are read from files, or downloaded.

export type { DataOptions, DownloadProgress } from "./download.ts";
export type { PublishedData, PublishedFile } from "./locate.ts";
export type { MnistArchive } from "./mnist.ts";
export { loadMnist } from "./mnist.ts";
export type { TextDatasets, TokenOptions } from "./text.ts";
export { loadText, loadTinyShakespeare } from "./text.ts";
