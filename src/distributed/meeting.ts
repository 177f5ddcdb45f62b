import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, messageOf } from '../errors.js';
import { native } from '../native.js';

export interface MeetingPlace {
  address: string;
  /** Port of the store; 0 chooses a free one if the store is opened here. */
  port: number;
  /** Whether the store is opened here. */
  hosts: boolean;
  /** Seconds to wait for the store. */
  timeout: number;
}

/** Seconds that the machine with the store waits for the others to leave. */
const patience = 30;

/** The store of a launcher: processes find each other through it, and launchers of other machines learn of failures. */
export class Meeting {
  private constructor(readonly port: number) {}

  /** Opens or joins the store. Throws DistributedError if the port is in use, or if no store answers. */
  static async open({ address, port, hosts, timeout }: MeetingPlace): Promise<Meeting> {
    try {
      await lookup(address);
    } catch (error) {
      throw new ConfigError(`The host --master ${address} is unknown: ${messageOf(error)}.`, { cause: error });
    }
    return new Meeting(await native().meetingOpen({ address, port, hosts, timeout: timeout * 1000 }));
  }

  /** Tells the launchers of other machines that a process of this machine has failed. */
  failed(restarts: number): void {
    native()
      .meetingSet(`failed/${restarts}`)
      .catch(() => {});
  }

  /** Returns a failure elsewhere: a process of another machine failed, or the store's machine does not answer. */
  async failureElsewhere(restarts: number): Promise<string | undefined> {
    try {
      return (await native().meetingHas(`failed/${restarts}`)) ? 'a process on another machine has failed' : undefined;
    } catch {
      return 'the launcher of machine 0 does not answer';
    }
  }

  /** Closes the store; machine 0 first waits up to 30 seconds for the launchers of all machines. */
  async leave(machines: number, machine: number): Promise<void> {
    try {
      await native().meetingSet(`left/${machine}`);
      for (let waited = 0; machine === 0 && waited < patience && !(await this.#allLeft(machines)); waited++)
        await sleep(1000);
    } catch {
      // The machine with the store left earlier.
    }
    native().meetingClose();
  }

  async #allLeft(machines: number): Promise<boolean> {
    for (let one = 0; one < machines; one++) if (!(await native().meetingHas(`left/${one}`))) return false;
    return true;
  }
}
