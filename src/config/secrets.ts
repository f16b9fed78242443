/**
 * A text from a command line, fit for a message: without what the password's flag says, where that has come to be the value of a flag
 * before it that lacks its own, and without the user and password in a URL.
 */
export const hideSecret = (text: string): string => withoutUsers(text.replace(/^(-+etcd-password=)[^]*$/, '$1…'))

const withoutUsers = (text: string): string => text.replaceAll(/(^|[\s,])([a-z]+:\/\/)?[^\s,]*@/gi, '$1$2…@')
