/**
 * A FAT16 file system in memory, so that no test needs a program for it: listed, read and written. A folder below the
 * root has only as many entries as fit in its clusters.
 */

const sector = 512;
const entryBytes = 32;
/** Bits of an entry's byte 12, in which Windows and Linux keep that a half is lower case. */
const lower = { base: 0x08, extension: 0x10 };
const attribute = { volume: 0x08, folder: 0x10, file: 0x20, longName: 0x0f };
const endOfChain = 0xffff;
/** Where an entry has the characters of a long name. */
const longAt = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

interface Entry {
  name: string;
  folder: boolean;
  cluster: number;
  size: number;
  /** Where it stands in the bytes: its parts of a long name, and the entry itself. */
  places: readonly number[];
}

/** The files in these bytes, which are changed by writing. Paths are `boot/grub/grub.cfg`, in whatever case. */
export class Fat {
  readonly #bytes: Buffer;
  readonly #table: { at: number; bytes: number };
  readonly #root: number;
  readonly #data: number;
  readonly #cluster: number;

  /** Whether something was written. */
  changed = false;

  /** How many there are, by the first 512. */
  static bytes(first: Buffer): number {
    return (first.readUInt16LE(19) || first.readUInt32LE(32)) * sector;
  }

  /** Throws when they are no FAT16. */
  constructor(bytes: Buffer) {
    const tableBytes = bytes.readUInt16LE(22) * sector;
    if (bytes.readUInt16LE(510) !== 0xaa55 || bytes.toString('latin1', 54, 59) !== 'FAT16') throw new Error('no FAT16');
    this.#bytes = bytes;
    this.#table = { at: bytes.readUInt16LE(14) * sector, bytes: tableBytes };
    this.#root = this.#table.at + bytes.readUInt8(16) * tableBytes;
    this.#data = this.#root + bytes.readUInt16LE(17) * entryBytes;
    this.#cluster = bytes.readUInt8(13) * sector;
  }

  /** The paths of all files. */
  list(): string[] {
    const below = (places: readonly number[], path: string): string[] =>
      this.#entries(places).flatMap(({ name, folder, cluster }) =>
        folder ? below(this.#folder(cluster), `${path}${name}/`) : [`${path}${name}`],
      );
    return below(this.#rootPlaces(), '');
  }

  /** Null when there is no such file. */
  read(path: string): Buffer | null {
    const { entry } = this.#find(path, false);
    if (!entry || entry.folder) return null;
    const chain = this.#chain(entry.cluster).map(at => this.#bytes.subarray(at, at + this.#cluster));
    return Buffer.concat(chain).subarray(0, entry.size);
  }

  /** Replaces a file, or makes it with the folders above it. Throws when there is no room. */
  write(path: string, content: Buffer): void {
    this.changed = true;
    const { entry, places, name } = this.#find(path, true);
    if (entry) this.#free(entry.cluster);
    const at = entry?.places.at(-1) ?? this.#name(places, name);
    const clusters = this.#take(Math.ceil(content.length / this.#cluster));
    clusters.forEach((cluster, nth) => {
      const piece = content.subarray(nth * this.#cluster, (nth + 1) * this.#cluster);
      this.#bytes.fill(0, this.#place(cluster), this.#place(cluster) + this.#cluster);
      piece.copy(this.#bytes, this.#place(cluster));
    });
    this.#put(at, attribute.file, clusters[0] ?? 0, content.length);
  }

  /** Of a file; nothing when there is none. */
  remove(path: string): void {
    const { entry } = this.#find(path, false);
    if (!entry || entry.folder) return;
    this.changed = true;
    this.#free(entry.cluster);
    for (const at of entry.places) this.#bytes.writeUInt8(0xe5, at);
  }

  /** The entry of this path, or the places of the folder where it would be; `make`: with folders that were missing. */
  #find(path: string, make: boolean): { entry: Entry | undefined; places: readonly number[]; name: string } {
    const parts = path.split('/').filter(part => part !== '');
    const name = parts.pop() ?? '';
    let places = this.#rootPlaces();
    for (const part of parts) {
      const there = this.#entries(places).find(each => each.folder && same(each.name, part));
      if (!there && !make) return { entry: undefined, places: [], name };
      places = this.#folder(there?.cluster ?? this.#makeFolder(places, part));
    }
    return { entry: this.#entries(places).find(each => same(each.name, name)), places, name };
  }

  #makeFolder(places: readonly number[], name: string): number {
    const at = this.#name(places, name);
    const [cluster = 0] = this.#take(1);
    this.#bytes.fill(0, this.#place(cluster), this.#place(cluster) + this.#cluster);
    this.#put(at, attribute.folder, cluster, 0);
    for (const [nth, dots] of ['.', '..'].entries()) {
      const dot = this.#place(cluster) + nth * entryBytes;
      this.#bytes.write(dots.padEnd(11), dot, 'latin1');
      this.#bytes.writeUInt8(attribute.folder, dot + 11);
      this.#bytes.writeUInt16LE(nth === 0 ? cluster : 0, dot + 26);
    }
    return cluster;
  }

  #entries(places: readonly number[]): Entry[] {
    const entries: Entry[] = [];
    let long = { text: '', places: [] as number[] };
    for (const at of places) {
      const first = this.#bytes.readUInt8(at);
      if (first === 0) break;
      const kind = this.#bytes.readUInt8(at + 11);
      if (first !== 0xe5 && kind === attribute.longName) {
        long = { text: this.#longPart(at) + long.text, places: [...long.places, at] };
        continue;
      }
      const { text, places: before } = long;
      long = { text: '', places: [] };
      // Deleted; `.` and `..`; the volume's name.
      if (first === 0xe5 || first === 0x2e || (kind & attribute.volume) !== 0) continue;
      const name = text || this.#shortName(at);
      const entry = { cluster: this.#bytes.readUInt16LE(at + 26), size: this.#bytes.readUInt32LE(at + 28) };
      entries.push({ ...entry, name, places: [...before, at], folder: (kind & attribute.folder) !== 0 });
    }
    return entries;
  }

  #longPart(at: number): string {
    const codes = longAt.map(offset => this.#bytes.readUInt16LE(at + offset));
    const end = codes.indexOf(0);
    return String.fromCharCode(...(end === -1 ? codes : codes.slice(0, end)));
  }

  #shortName(at: number): string {
    const halves = [this.#bytes.toString('latin1', at, at + 8), this.#bytes.toString('latin1', at + 8, at + 11)];
    const cases = this.#bytes.readUInt8(at + 12);
    const [base = '', extension = ''] = halves.map((half, nth) => {
      const low = (cases & (nth === 0 ? lower.base : lower.extension)) !== 0;
      return low ? half.trimEnd().toLowerCase() : half.trimEnd();
    });
    return extension === '' ? base : `${base}.${extension}`;
  }

  /** Writes the name of a new entry; resolves to where that stands. */
  #name(places: readonly number[], name: string): number {
    const [, base = '', extension = ''] = /^([\w-]{1,8})(?:\.([\w-]{1,3}))?$/.exec(name) ?? [];
    const isShort =
      base !== '' && [base, extension].every(half => [half.toLowerCase(), half.toUpperCase()].includes(half));
    if (isShort) {
      const at = this.#slots(places, 1)[0] ?? 0;
      const low = (half: string, bit: number) => (half !== half.toUpperCase() ? bit : 0);
      this.#putName(at, base, extension, low(base, lower.base) | low(extension, lower.extension));
      return at;
    }
    const parts = name.match(/.{1,13}/gs) ?? [];
    const slots = this.#slots(places, parts.length + 1);
    const at = slots.at(-1) ?? 0;
    this.#putName(at, `~${places.indexOf(at)}`, '', 0);
    const alias = this.#bytes
      .subarray(at, at + 11)
      .reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);
    for (const [nth, part] of parts.entries()) {
      const slot = slots[parts.length - 1 - nth] ?? 0;
      this.#bytes.fill(0, slot, slot + entryBytes);
      this.#bytes.writeUInt8(nth + 1 + (nth === parts.length - 1 ? 0x40 : 0), slot);
      this.#bytes.writeUInt8(attribute.longName, slot + 11);
      this.#bytes.writeUInt8(alias, slot + 13);
      for (const [i, offset] of longAt.entries()) {
        const code = i < part.length ? part.charCodeAt(i) : i === part.length ? 0 : 0xffff;
        this.#bytes.writeUInt16LE(code, slot + offset);
      }
    }
    return at;
  }

  #putName(at: number, base: string, extension: string, cases: number): void {
    this.#bytes.fill(0, at, at + entryBytes);
    this.#bytes.write(base.toUpperCase().padEnd(8) + extension.toUpperCase().padEnd(3), at, 'latin1');
    this.#bytes.writeUInt8(cases, at + 12);
  }

  #put(at: number, kind: number, cluster: number, size: number): void {
    this.#bytes.writeUInt8(kind, at + 11);
    this.#bytes.writeUInt16LE(cluster, at + 26);
    this.#bytes.writeUInt32LE(size, at + 28);
  }

  /** So many free ones in a row. */
  #slots(places: readonly number[], count: number): readonly number[] {
    const isFree = (at: number) => [0, 0xe5].includes(this.#bytes.readUInt8(at));
    const from = places.findIndex(
      (_, nth) => nth + count <= places.length && places.slice(nth, nth + count).every(isFree),
    );
    if (from === -1) throw new Error('the folder is full');
    return places.slice(from, from + count);
  }

  #rootPlaces(): number[] {
    return placesIn(this.#root, this.#data - this.#root);
  }

  #folder(cluster: number): number[] {
    return this.#chain(cluster).flatMap(at => placesIn(at, this.#cluster));
  }

  #place(cluster: number): number {
    return this.#data + (cluster - 2) * this.#cluster;
  }

  /** Where each cluster from this one on begins. */
  #chain(first: number): number[] {
    const places: number[] = [];
    for (let at = first; at >= 2 && at < 0xfff0; at = this.#next(at)) places.push(this.#place(at));
    return places;
  }

  #next(cluster: number): number {
    return this.#bytes.readUInt16LE(this.#table.at + cluster * 2);
  }

  #link(cluster: number, to: number): void {
    for (const copy of [0, this.#table.bytes]) this.#bytes.writeUInt16LE(to, this.#table.at + copy + cluster * 2);
  }

  #free(first: number): void {
    for (let at = first; at >= 2 && at < 0xfff0; ) {
      const next = this.#next(at);
      this.#link(at, 0);
      at = next;
    }
  }

  #take(count: number): number[] {
    const all = Math.floor((this.#bytes.length - this.#data) / this.#cluster);
    const taken: number[] = [];
    for (let at = 2; at < all + 2 && taken.length < count; at++) if (this.#next(at) === 0) taken.push(at);
    if (taken.length < count) throw new Error('No space left on device');
    for (const [nth, cluster] of taken.entries()) this.#link(cluster, taken[nth + 1] ?? endOfChain);
    return taken;
  }
}

function placesIn(start: number, length: number): number[] {
  return Array.from({ length: length / entryBytes }, (_, nth) => start + nth * entryBytes);
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
