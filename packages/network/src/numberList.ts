// A list of numbers that is filled and emptied over and over. It keeps its room: an array that is emptied gives its memory
// back, and asks for it anew with the next element.

export class NumberList {
  /** The first `size` are in the list. */
  // With room for one: an array that is empty makes room for 17.
  readonly items: number[] = [0];
  size = 0;

  /** @returns its place */
  push(item: number): number {
    this.items[this.size] = item;
    return this.size++;
  }

  clear(): void {
    this.size = 0;
  }
}
