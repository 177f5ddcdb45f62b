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

  /** Says that a process of this machine has failed, to whom it may concern. */
  failed(restarts: number): void {
    native()
      .meetingSet(`failed/${restarts}`)
      .catch(() => {});
  }

  /** What is wrong elsewhere: a process of another machine has failed, or the machine with the store does not answer. */
  async failureElsewhere(restarts: number): Promise<string | undefined> {
    try {
      return (await native().meetingHas(`failed/${restarts}`)) ? 'a process on another machine has failed' : undefined;
    } catch {
      return 'the launcher of machine 0 does not answer';
    }
  }

  /** Ends it, when the launchers of all machines have come here. */
  async leave(machines: number, machine: number): Promise<void> {
    try {
      await native().meetingSet(`left/${machine}`);
      for (let waited = 0; machine === 0 && waited < patience && !(await this.#allLeft(machines)); waited++)
        await sleep(1000);
    } catch {
      // The machine with the store has gone before.
    }
    native().meetingClose();
  }

  async #allLeft(machines: number): Promise<boolean> {
    for (let one = 0; one < machines; one++) if (!(await native().meetingHas(`left/${one}`))) return false;
    return true;
  }
}
