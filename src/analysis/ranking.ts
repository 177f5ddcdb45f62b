/** Of many classes, as many are shown at either end. */
export const shownClasses = 10;

/**
 * The classes in which the student is worst and those in which it is best, each from its end; all of them as worst
 * where there are not many. Classes of equal accuracy rank in the order of their labels.
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
