/* The definitions that a step's code consists of, in the order in which one reads them. Pure. */

export interface Part {
  name: string;
  file: string;
  line: number;
  source: string;
}

/** The parts to read, the step's own first, and the imports that they use, as lines without doubles. */
export function readable(parts: readonly Part[], step: string): { parts: Part[]; imports: string[] } {
  const own = step.slice(step.lastIndexOf(":") + 1);
  const isOwn = (part: Part) => part.name === own || part.name.endsWith(`.${own}`);
  const imports = parts.filter((part) => isImport(part.source));
  const others = parts.filter((part) => !isImport(part.source));
  return {
    parts: [...others.filter(isOwn), ...others.filter((part) => !isOwn(part))],
    imports: [...new Set(imports.map((part) => part.source.trim()))].sort(),
  };
}

const isImport = (source: string): boolean => /^(import|from)\s[^\n]*$/.test(source.trim());
