/** Number of worst and of best classes that are shown if there are many. */
export const shownClasses = 10;

/**
 * Returns the student's worst classes (worst first) and best classes (best first); with at most 2 `shown` classes, all
 * are in `worst`. Classes with equal accuracy keep the order of their labels.
 */
export function worstAndBest<Class extends { studentAccuracy: number | null }>(
  classes: readonly Class[],
  shown = shownClasses,
): { worst: Class[]; best: Class[] } {
  const ranked = classes
    .filter(({ studentAccuracy }) => studentAccuracy !== null)
    .sort((a, b) => (a.studentAccuracy as number) - (b.studentAccuracy as number));
  if (ranked.length <= 2 * shown) return { worst: ranked, best: [] };
  return { worst: ranked.slice(0, shown), best: ranked.slice(-shown).reverse() };
}
