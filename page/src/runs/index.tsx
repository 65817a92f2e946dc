/* The list of runs. */
export { RunsPage } from "./page";
