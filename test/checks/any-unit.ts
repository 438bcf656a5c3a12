import fc from 'fast-check';

/** Any code unit of a string, paired or not; fast-check's own take a second to begin. */
export const anyUnit = fc.nat(0xffff).map(code => String.fromCharCode(code));
