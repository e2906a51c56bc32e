// Bytes of a stream, line by line, at the pace of whoever takes the lines. A line ends with \n or \r\n; what a program
// writes without any end is cut, so that no stream can make the memory grow.

import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** Longer lines are handed on in pieces of about this many characters, each as a line. */
const LONGEST_LINE = 64 * 1024;

export interface LineReader {
  /** Kept when the stream has ended and its last line has been taken; broken if `onLines` throws. */
  readonly done: Promise<void>;
  /** From now on, gives up on a stream that stays open and is silent for `silenceMs`. A slow taker is not silence. */
  endWhenSilent(silenceMs: number): void;
}

export function readLines(
  stream: Readable,
  onLines: (lines: readonly string[]) => void | Promise<void>,
): LineReader {
  const splitter = lineSplitter();
  let waiting = true;
  let ended = false;
  let chunks = 0;
  let timer: NodeJS.Timeout | undefined;
  const hand = async (lines: readonly string[]): Promise<void> => {
    if (lines.length === 0) return;
    waiting = false;
    await onLines(lines);
    waiting = true;
  };
  const read = async (): Promise<void> => {
    try {
      for await (const chunk of stream) {
        chunks++;
        await hand(splitter.push(chunk as Buffer));
      }
    } catch (error) {
      if (!waiting) throw error;
      // Cut off, by `endWhenSilent` or from the other end: what has come, has come.
    } finally {
      ended = true;
      clearInterval(timer);
    }
    await hand(splitter.end());
  };
  return {
    done: read(),
    endWhenSilent(silenceMs) {
      if (ended) return;
      let seen = chunks;
      timer ??= setInterval(() => {
        if (waiting && chunks === seen) stream.destroy();
        seen = chunks;
      }, silenceMs);
    },
  };
}

export interface LineSplitter {
  /** The lines that `bytes` complete. */
  push(bytes: Uint8Array): readonly string[];
  /** The rest, as a last line, unless it is empty. */
  end(): readonly string[];
}

/** Characters that are split between two chunks are put together; bytes that are no UTF-8 become U+FFFD. */
export function lineSplitter(longest: number = LONGEST_LINE): LineSplitter {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const take = (text: string): readonly string[] => {
    const pieces = text.split("\n");
    pieces[0] = rest + pieces[0]!;
    rest = pieces.pop()!;
    const lines = pieces.flatMap((line) => cut(line.endsWith("\r") ? line.slice(0, -1) : line));
    if (rest.length <= longest) return lines;
    const cuts = cut(rest);
    rest = cuts.at(-1)!;
    return [...lines, ...cuts.slice(0, -1)];
  };
  /** Pieces of at most `longest`; never between the halves of a character. */
  const cut = (line: string): readonly string[] => {
    if (line.length <= longest) return [line];
    const pieces: string[] = [];
    for (let start = 0; start < line.length; ) {
      let end = Math.min(start + longest, line.length);
      if (end < line.length && isHighSurrogate(line.charCodeAt(end - 1))) end++;
      pieces.push(line.slice(start, end));
      start = end;
    }
    return pieces;
  };
  return {
    push: (bytes) => take(decoder.write(bytes as Buffer)),
    end: () => {
      const lines = take(decoder.end());
      const last = rest;
      rest = "";
      return last === "" ? lines : [...lines, last];
    },
  };
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
