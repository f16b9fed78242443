/** @throws {SetupError} with the way out when no namespace can be had */
export declare function insideNamespace(command: readonly string[]): string[]
