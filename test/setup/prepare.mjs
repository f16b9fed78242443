#!/usr/bin/env node
/**
 * `node test/setup/prepare.mjs browser|root` fetches and makes what a project needs, in a process of its own: others need not wait for it.
 * Whoever needs it asks again, and finds it there or says why it is not.
 */
import { ensureBrowser } from './browser.mjs'
import { whyNotAsRoot } from './root.mjs'
import { SetupError, stopWithChildren } from './shell.mjs'
import { ensureTools } from './tools.mjs'

const PREPARATIONS = { browser: ensureBrowser, root: whyNotAsRoot }

const [what] = process.argv.slice(2)
if (!Object.hasOwn(PREPARATIONS, what)) throw new SetupError(`there is nothing to prepare for ${what}`)
stopWithChildren()
ensureTools()
PREPARATIONS[what]()
