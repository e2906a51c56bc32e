// MNIST: handwritten digits, 28 × 28, ten classes. Read from a data directory, or downloaded into it when absent.
// Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits". Mean and deviation are those
// that EXO Gym and the PyTorch examples normalise with.

import { access } from "node:fs/promises";
import { join } from "node:path";
import { type AtollError, RunError } from "@atoll/core";
import { type Dataset, tableDataset } from "../../data/dataset.ts";
import { type DataOptions, download } from "./download.ts";
import { type IdxArray, idxError, readIdx } from "./idx.ts";

/** Where the files are published. */
export interface MnistArchive {
  /** Base URLs, tried in order. */
  readonly mirrors: readonly string[];
  /** SHA-256 of each gzipped file. */
  readonly sha256: Readonly<Record<MnistFile, string>>;
}

type MnistFile =
  | "train-images-idx3-ubyte"
  | "train-labels-idx1-ubyte"
  | "t10k-images-idx3-ubyte"
  | "t10k-labels-idx1-ubyte";

const FILES: readonly MnistFile[] = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
];

const OFFICIAL: MnistArchive = {
  mirrors: [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
  ],
  sha256: {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
  },
};

const SIDE = 28;
const CLASSES = 10;
const MEAN = 0.1307;
const DEVIATION = 0.3081;

/**
 * Loads MNIST: examples [1, 28, 28], (pixel / 255 − mean) / deviation. Its four files are taken from `mnist/` in the data
 * directory or from the directory itself, gzipped or plain; what is found is used as it is, what is missing is downloaded.
 * @throws ConfigError if a file is damaged (names file and byte); RunError if files are missing and cannot be downloaded.
 */
export async function loadMnist(
  options: DataOptions,
  archive: MnistArchive = OFFICIAL,
): Promise<{ readonly train: Dataset; readonly test: Dataset }> {
  const paths = await locate(options, archive);
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    readIdx(paths["train-images-idx3-ubyte"], 3),
    readIdx(paths["train-labels-idx1-ubyte"], 1),
    readIdx(paths["t10k-images-idx3-ubyte"], 3),
    readIdx(paths["t10k-labels-idx1-ubyte"], 1),
  ]);
  return {
    train: toDataset("mnist", trainImages, trainLabels),
    test: toDataset("mnist-test", testImages, testLabels),
  };
}

/** The path of each file, all of which exist once this returns. */
async function locate(options: DataOptions, archive: MnistArchive): Promise<Record<MnistFile, string>> {
  const home = join(options.directory, "mnist");
  const found = await Promise.all(
    FILES.map((file) =>
      firstExisting([home, options.directory].flatMap((dir) => [join(dir, `${file}.gz`), join(dir, file)])),
    ),
  );
  const missing = FILES.filter((_, i) => found[i] === undefined);
  for (const file of missing) {
    const urls = archive.mirrors.map((mirror) => new URL(`${file}.gz`, mirror).href);
    const path = join(home, `${file}.gz`);
    try {
      await download({ urls, sha256: archive.sha256[file], path }, options);
    } catch (cause) {
      options.signal?.throwIfAborted();
      throw cause instanceof RunError ? missingFiles(home, missing, cause) : cause;
    }
  }
  const paths = FILES.map((file, i) => [file, found[i] ?? join(home, `${file}.gz`)]);
  return Object.fromEntries(paths) as Record<MnistFile, string>;
}

function missingFiles(home: string, missing: readonly MnistFile[], cause: AtollError): RunError {
  const names = missing.map((file) => `${file}.gz`).join(", ");
  return new RunError(
    `MNIST is not complete in ${home} (missing: ${names}). ${cause.message} Put the missing files there by hand, or use data=digits, which needs none.`,
    cause,
  );
}

async function firstExisting(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths)
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  return undefined;
}

function toDataset(name: string, images: IdxArray, labels: IdxArray): Dataset {
  const [count, rows, columns] = images.shape;
  if (count === 0) throw idxError(images.path, 4, "at least one image", "none");
  if (rows !== SIDE) throw idxError(images.path, 8, `images of ${SIDE} rows`, `${rows}`);
  if (columns !== SIDE) throw idxError(images.path, 12, `images of ${SIDE} columns`, `${columns}`);
  if (labels.shape[0] !== count)
    throw idxError(
      labels.path,
      4,
      `${count} labels, one for each image of ${images.path}`,
      `${labels.shape[0]}`,
    );
  const wrong = labels.values.findIndex((label) => label >= CLASSES);
  if (wrong >= 0)
    throw idxError(labels.path, 8 + wrong, `a label from 0 to ${CLASSES - 1}`, `${labels.values[wrong]}`);
  return tableDataset({
    name,
    x: images.values,
    xShape: [1, SIDE, SIDE],
    y: Int32Array.from(labels.values),
    classes: CLASSES,
    scale: 1 / (255 * DEVIATION),
    shift: -MEAN / DEVIATION,
  });
}
