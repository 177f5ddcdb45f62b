/** Text that a terminal shows and does not obey: names in files may hold control characters. */

// C0 but tab and line feed, DEL and C1, among them ESC and CSI; and marks that turn the direction of the text around.
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** As in JSON and JavaScript, so that JSON in which a character was escaped is still the same. */
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** The text with control characters as `\u001b`; tabs and line feeds stay. */
export const printable = (text: string): string => text.replace(control, escaped);

/** The same of a name, in which a line feed could pass for a line of its own. */
export const printableName = (name: string): string => printable(name).replace(/[\n\t]/g, escaped);
