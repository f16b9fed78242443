/** As one word for sh(1): what others have chosen, such as the name of a host, must be none of its commands. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
