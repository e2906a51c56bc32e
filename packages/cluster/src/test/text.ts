// Text of any characters, for properties of quoting and of lines.

import fc from "fast-check";

const SURROGATES = 0xd800;
const AFTER_SURROGATES = 0xe000;

/** Mostly what shells and terminals mistake for something, otherwise any character but NUL. */
const character: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(..." \t'\"\\$`!*?[]{}()<>|&;~#%^=-\u0001\u007f\u0081\u0088"),
  fc
    .oneof(
      fc.integer({ min: 1, max: 0x7f }),
      fc.integer({ min: 0x80, max: SURROGATES - 1 }),
      fc.integer({ min: AFTER_SURROGATES, max: 0x10ffff }),
    )
    .map((point) => String.fromCodePoint(point)),
);

export const anyText: fc.Arbitrary<string> = fc
  .array(character, { maxLength: 40 })
  .map((parts) => parts.join(""));

/** Without an end of line. */
export const anyLine: fc.Arbitrary<string> = anyText.map((text) => text.replaceAll(/[\r\n]/g, "¶"));
