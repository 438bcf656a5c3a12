/** A domain that is only ever defined; `type` is qemu or test. */
export function tinyXml(type: string, name: string, uuid: string): string {
  const escaped = name.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<domain type='${type}'>
  <name>${escaped}</name>
  <uuid>${uuid}</uuid>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='${type === 'test' ? 'i686' : 'x86_64'}'>hvm</type></os>
</domain>
`;
}
