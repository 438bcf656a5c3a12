import ssh2, { type AnyAuthMethod, type KeyboardInteractiveCallback, type Prompt } from 'ssh2';
import type { Account } from './account.ts';
import { SshError } from './errors.ts';

export interface Credentials {
  user: string;
  password?: string;
  /** OpenSSH or PEM, without passphrase. */
  privateKey?: string | Buffer;
}

export function mustBeUsable({ privateKey, password }: Credentials): void {
  if (privateKey === undefined && password === undefined) {
    throw new SshError('invalid_key', 'neither a password nor a private key is configured');
  }
  if (privateKey !== undefined && !isPrivateKey(privateKey)) {
    throw new SshError('invalid_key', 'the private key cannot be read: wrong format, or it has a passphrase');
  }
}

/** The library answers a damaged key with an error, with nothing at all, or by throwing. */
function isPrivateKey(text: string | Buffer): boolean {
  try {
    const key: ReturnType<typeof ssh2.utils.parseKey> | undefined = ssh2.utils.parseKey(text);
    return key !== undefined && !(key instanceof Error) && key.isPrivateKey();
  } catch {
    return false;
  }
}

/**
 * The login of one connection. It first asks what the server offers (RFC 4252, 5.2: `none`, which no server counts as an
 * attempt). Then it tries the key and the password, each once, the latter by `keyboard-interactive` if the server offers
 * only that. Each takes one attempt off the account.
 */
export class Login {
  readonly #credentials: Credentials;
  readonly #account: Account;
  readonly #giveUp: () => void;
  readonly #left: ('key' | 'password')[] = ['key', 'password'];
  /** What the server took at last; null before. */
  #offered: readonly string[] | null = null;
  #begun = false;

  /** `giveUp` is called when the server asks what we cannot answer. */
  constructor(credentials: Credentials, account: Account, giveUp: () => void) {
    this.#credentials = credentials;
    this.#account = account;
    this.#giveUp = giveUp;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** The next thing to try, or false; `offered` is null before anything. */
  next(offered: readonly string[] | null): AnyAuthMethod | false {
    if (offered === null) return { type: 'none', username: this.#credentials.user };
    this.#offered = offered;
    for (let way = this.#left.shift(); way; way = this.#left.shift()) {
      const method = way === 'key' ? this.#key(offered) : this.#password(offered);
      if (method === null) continue;
      if (this.#account.left <= 0) return false;
      this.#account.left--;
      this.#begun = true;
      return method;
    }
    return false;
  }

  failed(cause?: unknown): SshError {
    const { user } = this.#credentials;
    const why = this.#begun
      ? `the SSH server refuses the login of ${user}`
      : `the SSH server offers ${this.#offered?.join(', ') || 'nothing'} to log in, and none of it is configured`;
    return new SshError('authentication_failed', why, cause);
  }

  #key(offered: readonly string[]): AnyAuthMethod | null {
    const { user: username, privateKey: key } = this.#credentials;
    return key !== undefined && offered.includes('publickey') ? { type: 'publickey', username, key } : null;
  }

  #password(offered: readonly string[]): AnyAuthMethod | null {
    const { user: username, password } = this.#credentials;
    if (password === undefined) return null;
    if (offered.includes('password')) return { type: 'password', username, password };
    if (!offered.includes('keyboard-interactive')) return null;
    let given = false;
    // One hidden question is the password. Even an empty answer to another would count as a failed login.
    const prompt = (_: string, __: string, ___: string, prompts: Prompt[], finish: KeyboardInteractiveCallback) => {
      if (given || prompts.length !== 1 || prompts[0]?.echo === true) return this.#giveUp();
      given = true;
      finish([password]);
    };
    return { type: 'keyboard-interactive', username, prompt };
  }
}
