import type { CommandCall } from '../../cli/commands.ts'
import { COMMON } from '../../cli/command/common-flags.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { STATUS } from '../../cli/specs/status.ts'
import { showAway } from '../../show/away.ts'
import { showStatus } from '../../show/status.ts'
import { ask } from '../../status/client/ask.ts'
import { AgentAwayError } from '../../status/client/errors.ts'
import type { StatusDocument } from '../../status/document.ts'
import { asJson, asking, type Asking, type Said } from '../asking/asking.ts'
import { watching } from '../asking/watching.ts'

/** `flanneld status`. */
export const run = (call: CommandCall): Promise<number> =>
  asking(STATUS, call, (asked) => (asked.value(COMMON.watch) ? watching(asked, look) : look(asked)))

async function look(asked: Asking): Promise<Said> {
  try {
    const status = await ask<StatusDocument>('/v1/status', asked)
    const text = asked.isJson ? asJson(status) : showStatus(status, asked.terminal)
    return { text, code: status.state === 'ready' ? EXIT.done : EXIT.failed }
  } catch (error) {
    if (!(error instanceof AgentAwayError) || error.why === 'forbidden') throw error
    return lookElsewhere(error, asked)
  }
}

/** Loaded only then: it brings etcd's client along. */
async function lookElsewhere(error: AgentAwayError, asked: Asking): Promise<Said> {
  const { lookWithoutAgent } = await import('../inspect/without-agent.ts')
  const document = await lookWithoutAgent(error.message, asked)
  return { text: asked.isJson ? asJson(document) : showAway(document, asked.terminal), code: EXIT.failed }
}
