import type { DoctorDocument } from '../doctor/document.ts'
import type { Finding } from '../doctor/finding.ts'
import { counted } from '../present/age.ts'
import { labelled, type Labelled } from '../present/lines.ts'
import type { Looks } from '../present/table.ts'
import { printable } from '../text/printable.ts'

/** Findings as people read them: what is wrong, how it is known, what cures it. */
export function showFindings(document: DoctorDocument, looks: Looks): string {
  const { findings, notLookedInto, hasAgent } = document
  const { paint } = looks
  const away = hasAgent
    ? ''
    : `${paint('warn', 'no agent answers here')}: what the kernel and the store say has to do\n`
  const found =
    findings.length === 0
      ? nothingFound(document, looks)
      : findings.map((finding) => showFinding(finding, looks)).join('\n')
  const rest = notLookedInto.map(({ what, why }): Labelled => [what, printable(why)])
  const unknown =
    rest.length === 0 ? '' : `\n${paint('warn', 'not looked into')}\n${labelled(rest, { ...looks, indent: '  ' })}`
  return `${away}${found}${unknown}`
}

/** What was not looked into may be what is wrong. */
function nothingFound({ lookedInto, notLookedInto }: DoctorDocument, { paint }: Looks): string {
  const where = `looked into ${counted(lookedInto.length, 'thing')}; --json names them`
  if (notLookedInto.length === 0) return `${paint('good', 'nothing found')} that is wrong (${where})\n`
  return `${paint('warn', 'nothing found so far')}: not everything was looked into (${where})\n`
}

function showFinding({ cause, severity, summary, evidence, cure }: Finding, looks: Looks): string {
  const { paint } = looks
  const head = severity === 'broken' ? paint('bad', 'broken') : paint('warn', 'may do harm')
  const rows = [
    ...evidence.map((text, at): Labelled => [at === 0 ? 'seen' : '', printable(text)]),
    ...cure.map((text, at): Labelled => [at === 0 ? 'cure' : '', printable(text)]),
  ]
  return `${head} ${paint('bold', printable(summary))} (${cause})\n${labelled(rows, { ...looks, indent: '  ' })}`
}
