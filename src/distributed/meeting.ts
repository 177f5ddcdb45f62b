import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, messageOf } from '../errors.js';
import { native } from '../native.js';

export interface MeetingPlace {
  address: string;
  /** 0 for any that is free, where it is opened here. */
  port: number;
  /** Whether the store is opened here. */
  hosts: boolean;
  /** Seconds to wait for it. */
  timeout: number;
}

/** Seconds that the machine with the store waits for the others to leave. */
const patience = 30;

/** The store of a launcher: its processes find each other in it, and launchers of several machines hear of failures. */
export class Meeting {
  private constructor(readonly port: number) {}

  /** Throws DistributedError where the port is in use, or nobody has opened it. */
  static async open({ address, port, hosts, timeout }: MeetingPlace): Promise<Meeting> {
    try {
      await lookup(address);
    } catch (error) {
      throw new ConfigError(`The host --master ${address} is unknown: ${messageOf(error)}.`, { cause: error });
    }
    return new Meeting(await native().meetingOpen({ address, port, hosts, timeout: timeout * 1000 }));
  }

  /** Says that a process of this machine has failed. */
  failed(restarts: number): void {
    this.#quietly(() => native().meetingSet(`failed/${restarts}`));
  }

  /** Whether one of any machine has. */
  hasFailed(restarts: number): boolean {
    return this.#quietly(() => native().meetingHas(`failed/${restarts}`)) ?? false;
  }

  /** Ends it, when the launchers of all machines have come here. */
  async leave(machines: number, machine: number): Promise<void> {
    this.#quietly(() => native().meetingSet(`left/${machine}`));
    const hasLeft = (one: number) => this.#quietly(() => native().meetingHas(`left/${one}`)) ?? true;
    const others = Array.from({ length: machines }, (_, one) => one);
    for (let waited = 0; machine === 0 && waited < patience && !others.every(hasLeft); waited++) await sleep(1000);
    native().meetingClose();
  }

  /** The machine with the store may have gone before. */
  #quietly<T>(ask: () => T): T | undefined {
    try {
      return ask();
    } catch {
      return undefined;
    }
  }
}
