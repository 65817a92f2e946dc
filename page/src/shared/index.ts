/* What all pages are made of. */
export * from "./diff";
export * from "./format";
export * from "./keys";
export * from "./live";
export * from "./notices";
export * from "./plot";
export * from "./router";
export * from "./status";
export * from "./table";
export * from "./tabs";
export * from "./theme";
export * from "./title";
export * from "./values";
