/** Requires each specifier that it is given, and fails when one exports nothing. */
for (const specifier of process.argv.slice(2)) {
  const names = Object.keys(require(specifier));
  if (names.length === 0) throw new Error(`${specifier} exports nothing`);
}
