// Names of a program's inputs and outputs in its graph, kept apart so that both may have a leaf `parameters`.

export const inputName = (name: string): string => `in.${name}`;
export const outputName = (name: string): string => `out.${name}`;
