// MNIST: handwritten digits, 28 × 28, ten classes. Read from a data directory, or downloaded into it when absent.
// Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits". Mean and deviation are those
// that EXO Gym and the PyTorch examples normalise with.

import { type Dataset, tableDataset } from "../../data/dataset.ts";
import type { DataOptions } from "./download.ts";
import { type IdxArray, idxError, readIdx } from "./idx.ts";
import { locate, type PublishedData } from "./locate.ts";

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
  const paths = await locate(published(archive), options);
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all(
    paths.map((path, i) => readIdx(path, FILES[i]!.includes("idx3") ? 3 : 1)),
  );
  return {
    train: toDataset("mnist", trainImages!, trainLabels!),
    test: toDataset("mnist-test", testImages!, testLabels!),
  };
}

function published({ mirrors, sha256 }: MnistArchive): PublishedData {
  return {
    title: "MNIST",
    folder: "mnist",
    files: FILES.map((file) => ({
      name: `${file}.gz`,
      alternatives: [file],
      urls: mirrors.map((mirror) => new URL(`${file}.gz`, mirror).href),
      sha256: sha256[file],
    })),
    advice: "use data=digits, which needs none",
  };
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
