/** Properties try the same values in every run, so that a mutant that is killed is killed again. */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env['MUTATE_SEED'] ?? 1) })
