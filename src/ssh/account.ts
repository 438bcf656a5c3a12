/** How often something secret may still be shown to a server. */
export interface Account {
  left: number;
}

/** DSM, and network guards, block an address after a few more. */
export function newAccount(): Account {
  return { left: 2 };
}
