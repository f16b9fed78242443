import { Lab, type LabHost } from '../lab/index.ts'
import { AgentProcess } from './agent-process.ts'
import { EtcdClient } from './etcd-client.ts'
import { benchPeers, CONFIG } from './peers.ts'
import { EXECUTABLE } from './programs.ts'
import type { Context } from './row.ts'

/** A laboratory of one host, with the single executable on it and peers in etcd. */
export class Scene {
  readonly lab: Lab
  readonly client: EtcdClient
  readonly #folder: string
  #agent: AgentProcess | undefined

  private constructor(lab: Lab, client: EtcdClient, folder: string) {
    this.lab = lab
    this.client = client
    this.#folder = folder
  }

  /** Does `work` with it once the agent has programmed all peers, and takes it down. */
  static async with<T>(context: Context, peers: number, work: (scene: Scene) => Promise<T>): Promise<T> {
    const lab = await Lab.create({ hosts: 1, health: false })
    const scene = new Scene(lab, new EtcdClient(lab.etcd.member.endpoint), context.folder)
    try {
      await scene.client.putConfig(CONFIG)
      await scene.client.putPeers(benchPeers(peers))
      await scene.startAgent()
      return await work(scene)
    } catch (error) {
      context.say(`what the agent said at last:\n${scene.#agent?.log() ?? ''}`)
      throw error
    } finally {
      await scene.#agent?.stop('SIGKILL')
      scene.client.close()
      await lab.close()
    }
  }

  get host(): LabHost {
    return this.lab.host(0)
  }

  get agent(): AgentProcess {
    if (this.#agent === undefined) throw new Error('there is no agent yet')
    return this.#agent
  }

  /** Starts it, anew if there is one, and waits until it is ready. */
  async startAgent(): Promise<void> {
    await this.#agent?.stop()
    this.#agent = new AgentProcess({ lab: this.lab, host: this.host, folder: this.#folder }, [EXECUTABLE])
    await this.#agent.ready()
  }
}
