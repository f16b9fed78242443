import type { Metafile } from 'esbuild'

/** The page as one file: style and script stand in it, so that nothing else is fetched. */
export function buildPage(): Promise<{ readonly text: string; readonly metafile: Metafile }>
