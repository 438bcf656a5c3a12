/** What is wrong with a value, and what to write instead. */
export interface Fault {
  message: string;
  hint: string | null;
}
