// Reads Anchor IDLs as Codama does, which writes clients in other languages from them. Ends non-zero if it cannot, if its
// validator finds anything, or if something of an IDL is lost on the way.
//
//   node read.js IDL.json...
import { readFileSync } from 'node:fs';
import { rootNodeFromAnchor } from '@codama/nodes-from-anchor';
import { getValidationItemsVisitor, visit } from 'codama';

const plain = (name) => name.replaceAll('_', '').toLowerCase();
const argumentsOf = (idl) => idl.instructions.flatMap(({ args }) => args.map(({ type }) => type.defined?.name));

for (const file of process.argv.slice(2)) {
  const idl = JSON.parse(readFileSync(file, 'utf8'));
  const root = rootNodeFromAnchor(idl);
  const findings = visit(root, getValidationItemsVisitor());
  if (findings.length > 0) throw new Error(`${file}: ${findings.map(({ message }) => message).join('; ')}`);

  const { program } = root;
  const counts = ['instructions', 'accounts', 'events', 'errors', 'constants'].map((kind) => {
    const [given, read] = [idl[kind] ?? [], program[kind] ?? []];
    if (given.length !== read.length) throw new Error(`${file}: ${read.length} of ${given.length} ${kind}`);
    return `${read.length} ${kind}`;
  });

  // Codama writes the fields of an instruction's only argument into the instruction itself.
  const read = [...program.definedTypes, ...program.accounts, ...program.events].map(({ name }) => plain(name));
  const known = new Set([...read, ...argumentsOf(idl).filter(Boolean).map(plain)]);
  const lost = idl.types.filter(({ name }) => !known.has(plain(name)));
  if (lost.length > 0) throw new Error(`${file}: lost ${lost.map(({ name }) => name).join(', ')}`);
  console.log(`${file}: ${counts.join(', ')}, ${idl.types.length} types`);
}
