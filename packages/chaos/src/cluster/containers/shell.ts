/** What is run inside a container: plain `sh`, so that every image with a PostgreSQL in it will do. */

/** Not the image's own volume: that one is initialised by the image. */
export const FOLDER = "/var/lib/breakwater";
export const DATA: string = `${FOLDER}/data`;
export const LOG: string = `${FOLDER}/log`;

/** Keeps the container alive without a server, and lets it end at once. */
export const WAITS: string = [
  `mkdir -p ${FOLDER} && chown postgres ${FOLDER} && chmod 700 ${FOLDER}`,
  "trap 'exit 0' TERM INT",
  "echo breakwater-ready",
  "while :; do sleep 3600 & wait $!; done",
].join("; ");

/** Makes an empty cluster; reads the password from PGNEWPASSWORD. */
export const INITIALISES: string = [
  `printf '%s\\n' "$PGNEWPASSWORD" > ${FOLDER}/password`,
  `initdb -D ${DATA} -U postgres -A scram-sha-256 --pwfile=${FOLDER}/password -E UTF8 --locale=C --no-sync > ${LOG} 2>&1`,
  `rm ${FOLDER}/password`,
].join(" && ");

/** Replaces the file FILE by the text CONTENT, in one step. */
export const SHELL_SET_FILE = 'printf %s "$CONTENT" > "$FILE.new" && mv "$FILE.new" "$FILE"';

/** Lists the direct children of a process. Images have no `ps`. */
export function childrenOf(pid: number): string {
  return `grep -l "^PPid:[[:space:]]*${pid}$" /proc/[0-9]*/status 2>/dev/null | cut -d / -f 3`;
}

/** The last lines of the server's log. */
export const readTail: string = `tail -n 20 ${LOG}`;
