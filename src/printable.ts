/** Escapes control characters, which names in files may contain, so that a terminal shows them instead of obeying. */

// C0 (including ESC) except tab and line feed, DEL, C1 (including CSI), and marks that change the text direction.
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Escapes as JSON and JavaScript do, so that escaped JSON keeps its meaning. */
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Returns the text with control characters escaped as in `\u001b`; tabs and line feeds stay. */
export const printable = (text: string): string => text.replace(control, escaped);

/** Like {@link printable}, but also escapes line feeds and tabs: a name must not fake a line of its own. */
export const printableName = (name: string): string => printable(name).replace(/[\n\t]/g, escaped);
