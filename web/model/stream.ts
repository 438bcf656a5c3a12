/** Cuts a stream of text into what it carries. Pure. */

/** Lines of text pieces; the last one waits for its end. */
export function lineCutter(): (text: string) => string[] {
  let rest = '';
  return text => {
    const lines = `${rest}${text}`.split(/\r?\n/);
    rest = lines.pop() ?? '';
    return lines;
  };
}

/** The data of server-sent events, as JSON. Comments, other fields and what is no JSON are left out. */
export function eventCutter(): (text: string) => unknown[] {
  const cut = lineCutter();
  let data: string[] = [];
  return text =>
    cut(text).flatMap(line => {
      if (line.startsWith('data:')) data.push(line.slice(5));
      if (line !== '' || data.length === 0) return [];
      const whole = data.join('\n');
      data = [];
      return parsed(whole);
    });
}

/** Nothing, where the text is no JSON. */
export function parsed(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return [];
  }
}
