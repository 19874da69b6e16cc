/** The exact statement that changes a setting: it depends on who has set it. */
import type { Node } from "./facts.ts";

/** A name as SQL takes it. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQL takes it. */
export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/**
 * How a setting of a node comes to be another. `ALTER SYSTEM` would change nothing where the role, the database, the
 * connection or the command line has a word of its own.
 */
export function setTo(node: Node, name: string, value: string): string {
  const setting = node.settings.get(name);
  const to = `${name} = ${literal(value)}`;
  switch (setting?.source) {
    case "user":
      return `ALTER ROLE ${identifier(node.user)} SET ${to};`;
    case "database":
      return `ALTER DATABASE ${identifier(node.database)} SET ${to};`;
    case "database user":
      return `ALTER ROLE ${identifier(node.user)} IN DATABASE ${identifier(node.database)} SET ${to};`;
    case "client":
      return `take ${name} out of the connection string or PGOPTIONS, or set it there to ${value}`;
    case "command line":
      return `start the server with -c ${name}=${value}: its command line sets it, and goes before ALTER SYSTEM`;
    case undefined:
    default:
      return setting?.context === "postmaster"
        ? `ALTER SYSTEM SET ${to}; then restart the server`
        : `ALTER SYSTEM SET ${to}; SELECT pg_reload_conf();`;
  }
}
