/* What roles recorded of themselves, where the page needs it. Pure. */

/** What a role found, as pairs of words; nothing where its text is no object. */
export function facts(text: string): [string, string][] {
  const { directions: _, ...rest } = told(text);
  return Object.entries(rest).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
}

function told(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // an older or a newer way of telling: the rest of the page does without
  }
}
