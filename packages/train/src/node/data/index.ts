// Data sets that are read from files, or downloaded.

export type { DataOptions, DownloadProgress } from "./download.ts";
export type { MnistArchive } from "./mnist.ts";
export { loadMnist } from "./mnist.ts";
