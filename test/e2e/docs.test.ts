import { afterAll, beforeAll, describe } from 'vitest'
import { followGuides, SCENES } from '../docs/scene.ts'
import { Session } from '../docs/session.ts'
import { waitFor, type LabHost } from '../lab/index.ts'
import { AGENT } from '../lab/program.ts'
import { CONFIG, useLab } from '../lab/use-lab.ts'

/** What the guides that are followed here have switched on. */
const READY = 'http://127.0.0.1:8081/readyz'
const FLAGS = ['--healthz-port=8081', '--vxlan-peer-filter']
const NAMES = SCENES['lab'] ?? []

/** Guides for hosts whose agents run, in the rootless laboratory. */
describe('guides, followed as they are written', () => {
  const lab = useLab({ hosts: NAMES.length, health: false }, (made) => made.putConfig(CONFIG))
  const sessions = new Map<string, Session>()

  const hostOf = (name: string): LabHost => lab().host(NAMES.indexOf(name))
  const isComplete = async ({ place }: LabHost): Promise<boolean> =>
    (await place.exec('curl', ['-sf', READY])).includes(`"peers":${NAMES.length - 1},`)

  /** An agent on each, which knows the others. */
  async function allRun(): Promise<void> {
    for (const { agent } of lab().hosts) if (!agent.isRunning) agent.start(FLAGS)
    for (const host of lab().hosts) await waitFor(`${host.name} to know the others`, () => isComplete(host))
  }

  beforeAll(() => {
    const environment = {
      'BASH_FUNC_flanneld%%': `() { ${AGENT.join(' ')} "$@"; }`,
      ETCDCTL_API: '3',
      ETCDCTL_ENDPOINTS: lab().etcd.endpoints.join(','),
    }
    for (const name of NAMES) sessions.set(name, new Session(hostOf(name).place, environment))
  })
  afterAll(() => {
    for (const session of sessions.values()) session.close()
  })

  followGuides('lab', {
    session(name) {
      const session = sessions.get(name)
      if (session === undefined) throw new RangeError(`there is no ${name}`)
      return session
    },
    async prepare(name, command) {
      const { agent } = hostOf(name)
      if (!command.startsWith('flanneld cleanup')) await allRun()
      else if (agent.isRunning) await agent.stop()
    },
  })
})
