import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { DOCTOR, DOCTOR_FLAGS } from '../../cli/specs/doctor.ts'
import { ConfigError } from '../../config/error.ts'
import { diagnose } from '../../doctor/diagnosis.ts'
import { isBroken, type DoctorDocument } from '../../doctor/document.ts'
import { examine } from '../../doctor/examine.ts'
import type { Check } from '../../doctor/finding.ts'
import { PACKET_CHECKS } from '../../doctor/packets/list.ts'
import { LinuxHost, onceReads } from '../../doctor/read/linux-host.ts'
import { liveView } from '../../doctor/read/live-view.ts'
import { linuxProbes, type Questions } from '../../doctor/read/probes.ts'
import type { View } from '../../doctor/view.ts'
import { LinuxForeignRules } from '../../firewall/others/linux-foreign-rules.ts'
import { systemClock } from '../../host/system-clock.ts'
import { RtnetlinkKernel } from '../../netlink/rtnetlink-kernel.ts'
import { showFindings } from '../../show/doctor.ts'
import { asJson, asking, type Asking, type Said } from '../asking/asking.ts'
import { Progress } from '../asking/terminal.ts'
import { daemonSettings } from '../settings/daemon-settings.ts'
import { agentBehind } from './agent-here.ts'
import { applyFixes } from './fixes.ts'

const NO_ICMP: Questions = {
  echo: () => Promise.resolve({ is: 'refused', says: 'this program cannot ask by ICMP' }),
  holders: () => Promise.resolve(undefined),
}

const CHECKS: readonly Check<View>[] = [...PACKET_CHECKS]

/** `flanneld doctor`. */
export const run = (call: CommandCall): Promise<number> =>
  asking(DOCTOR, call, async (asked) => {
    const isToFix = asked.value(DOCTOR_FLAGS.fix)
    const isSure = asked.value(DOCTOR_FLAGS.yes)
    if (isSure && !isToFix) throw new ConfigError('--yes', 'only together with --fix', undefined)
    if (isToFix && !isSure && !asked.terminal.isLive)
      throw new ConfigError('--fix', '--yes with it, where nobody is there to be asked', undefined)
    const first = await look(asked)
    if (!isToFix) return shown(first, asked)
    const hasDone = await applyFixes(first.findings, {
      isSure,
      signal: asked.signal,
      say: (text) => {
        asked.complain(text)
      },
    })
    return shown(hasDone ? await look(asked) : first, asked)
  })

function shown(document: DoctorDocument, asked: Asking): Said {
  const text = asked.isJson ? asJson(document) : showFindings(document, asked.terminal)
  return { text, code: isBroken(document) ? EXIT.failed : EXIT.done }
}

/** Everything is read anew. */
async function look(asked: Asking): Promise<DoctorDocument> {
  const { signal } = asked
  const kernel = new RtnetlinkKernel()
  const progress = new Progress()
  try {
    const view = viewOf(asked, kernel)
    const status = await view.agent()
    const { found, notLookedInto } = await examine(CHECKS, view, {
      ...{ clock: systemClock, signal },
      onProgress: (done, of, name) => {
        progress.say(`looked into ${done} of ${of}: ${name}`)
      },
    })
    return {
      ...{ version: 1, at: new Date(view.nowMs).toISOString(), hasAgent: status !== undefined },
      findings: diagnose(found, status?.conditions ?? []),
      notLookedInto,
      lookedInto: CHECKS.map(({ name }) => name),
    }
  } finally {
    progress.end()
    kernel.close()
  }
}

function viewOf(asked: Asking, kernel: RtnetlinkKernel): View {
  const { signal } = asked
  const { options } = daemonSettings(asked.own)
  return liveView({
    ...{ signal, about: asked.value(DOCTOR_FLAGS.peer), nowMs: Date.now() },
    agent: agentBehind(asked),
    host: new LinuxHost(onceReads(kernel), signal),
    probes: linuxProbes(NO_ICMP, signal),
    foreignRules: new LinuxForeignRules(),
    subnetFile: options.subnetFile,
  })
}
