/** A measured process's side of `Child.usage()`. */
export function answer() {
  process.on('message', ({ gc }) => {
    if (gc) globalThis.gc();
    process.send({ cpu: process.cpuUsage(), memory: process.memoryUsage() });
  });
  process.on('disconnect', () => process.exit());
}
