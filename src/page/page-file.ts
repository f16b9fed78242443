import { createHash } from 'node:crypto'

/** The page as it is served, whatever it was asked from. */
export interface PageFile {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/**
 * The page with what browsers are told about it (CSP Level 3): it runs the script and the style that stand in it and no other, asks the server
 * that it came from and nobody else, and is not put into a page of others.
 */
export function pageFile(body: string): PageFile {
  const policy = [
    "default-src 'none'",
    `script-src ${hashesOf(body, 'script')}`,
    `style-src ${hashesOf(body, 'style')}`,
    "connect-src 'self'",
    'img-src data:', // its icon
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ]
  return {
    body,
    headers: {
      'cache-control': 'no-store',
      'content-security-policy': policy.join('; '),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
    },
  }
}

function hashesOf(body: string, element: 'script' | 'style'): string {
  const texts = body.matchAll(new RegExp(`<${element}(?: [^>]*)?>([^]*?)</${element}>`, 'g'))
  return Array.from(texts, ([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(
    ' ',
  )
}
