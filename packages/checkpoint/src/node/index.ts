export type { FileContent } from "./files.ts";
export { writeDirectoryAtomic, writeFileAtomic } from "./files.ts";
