/** Clusters in containers. Needs `testcontainers`. */
export { containers, type ContainersOptions } from "./containers.ts";
