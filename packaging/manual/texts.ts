import { bashCompletion } from '../../src/completion/bash.ts'
import { manualPage } from './man.ts'
import { defaultSettings, settingNames } from './settings.ts'
import { fishCompletion } from '../../src/completion/fish.ts'
import { zshCompletion } from '../../src/completion/zsh.ts'

/** What the texts say of the build they belong to. */
export interface Facts {
  readonly version: string
  /** Time of the commit, in seconds since 1970. */
  readonly epoch: number
}

/** The texts of a package that are made of the table of flags. */
export interface Texts {
  readonly manual: string
  readonly bash: string
  readonly zsh: string
  readonly fish: string
  /** /etc/default/flanneld */
  readonly settings: string
  /** Every variable that it may hold. */
  readonly settingNames: readonly string[]
}

export const texts = (facts: Facts): Texts => ({
  manual: manualPage(facts),
  bash: bashCompletion(),
  zsh: zshCompletion(),
  fish: fishCompletion(),
  settings: defaultSettings(),
  settingNames: settingNames(),
})
