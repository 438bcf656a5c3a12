/**
 * Removes secrets that only their place in a domain's XML reveals; other patterns find the rest later.
 */

/** Elements whose text, or all that is in them, is somebody's own. */
const hiddenTexts: ReadonlySet<string> = new Set([
  ...['serial', 'wwn', 'title', 'description', 'entry', 'cmdline', 'certificate'],
  ...['dhCert', 'session', 'idBlock', 'idAuth', 'hostData', 'secret', 'cookie', 'initarg', 'initenv'],
]);

/** Attributes, whatever element has them. */
const hiddenAttributes: ReadonlySet<string> = new Set([
  ...['passwd', 'password', 'username', 'user', 'secret', 'usage', 'serial', 'keyid', 'profileid', 'query'],
  ...['wwn', 'wwpn', 'wwnn', 'fabric_wwn'],
]);

const element = /<([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)(\s*\/?>)([^<]*)/g;
const attribute = /([\w:.-]+)(\s*=\s*)("[^"]*"|'[^']*')/g;

/** What is not XML comes back as it was. */
export function anonymizeXml(xml: string): string {
  return xml
    .replaceAll(/<!--.*?-->|<!\[CDATA\[.*?\]\]>/gs, '')
    .replaceAll(/(<metadata\b[^>]*>).*?(<\/metadata>)/gs, '$1[hidden]$2')
    .replaceAll(element, (_, tag: string, attributes: string, close: string, text: string) => {
      const remote = /\sprotocol\s*=/.test(attributes);
      const kept = attributes.replaceAll(attribute, (_match, name: string, is: string, quoted: string) => {
        const quote = quoted.slice(0, 1);
        return `${name}${is}${quote}${shown(tag, name, quoted.slice(1, -1), remote)}${quote}`;
      });
      const said = hiddenTexts.has(tag) && text.trim() !== '' ? `[${tag}]` : text;
      return `<${tag}${kept}${close}${said}`;
    });
}

/** `remote`: of a source at another machine, such as an iSCSI target. */
function shown(tag: string, name: string, value: string, remote: boolean): string {
  if (hiddenAttributes.has(name)) return `[${name}]`;
  if (name === 'name' && (remote || tag === 'host' || tag === 'iqn')) return '[name]';
  // A character device's: `host` is a name or an address.
  if (name === 'host' && tag === 'source') return '[host]';
  if (name === 'value' && tag.startsWith('qemu:')) return tag === 'qemu:arg' ? argument(value) : '[value]';
  return value;
}

/** QEMU's own options by name alone, with the driver and the names of what is set: `nvme,drive=[…],serial=[…]`. */
function argument(value: string): string {
  if (/^-[a-z0-9_-]+$/i.test(value)) return value;
  const [first = '', ...settings] = value.split(',');
  const names = [
    /^[a-z][a-z0-9_.-]*$/i.test(first) && settings.length > 0 ? first : named(first),
    ...settings.map(named),
  ];
  return names.join(',');
}

function named(setting: string): string {
  const [, name] = /^([a-z][a-z0-9_.-]*)=/i.exec(setting) ?? [];
  return name === undefined ? '[…]' : `${name}=[…]`;
}
