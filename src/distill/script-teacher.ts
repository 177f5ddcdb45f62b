import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { checkCall, type Kinds } from '../call.js';
import { messageOf, TeacherError } from '../errors.js';
import type { Features } from '../flow.js';
import { type Handle, native } from '../native.js';
import type { ScriptSite, ScriptTap } from '../native-types.js';
import { functional as F } from '../nn/index.js';
import { didYouMean } from '../suggest.js';
import { FrozenGraph, ScriptModule, scope, Tensor } from '../tensor/index.js';
import { AnyBatch } from './any-batch.js';
import { loadExported } from './exported/load.js';
import { exactly, mayStandIn, type Precision } from './fast-form.js';
import { type FastForm, TeacherBase } from './teacher-base.js';

const kinds: Kinds<ScriptTeacherOptions> = { tap: 'string', device: 'string' };

export interface ScriptTeacherOptions {
  /** Path of the classifier module, if it cannot be found or is not unique. */
  tap?: string;
  /** Default `cpu`. */
  device?: string;
}

/** A place in a TorchScript file that could be the classifier. */
export interface ClassifierSite {
  /** Path of its module, or `linear 3` if its weight is not itself a parameter. */
  name: string;
  numClasses: number;
  featureChannels: number;
  /** A 1x1 convolution over a map, whose positions are averaged. */
  convolution: boolean;
}

/**
 * A frozen classifier from a TorchScript file: its penultimate feature h_T is the input of its last linear layer (or
 * 1x1 convolution), and W_T, b_T are that layer's. If that feature is the average of a map, it also returns the map.
 * It is never trained.
 */
export class ScriptTeacher extends TeacherBase {
  private constructor(
    source: string,
    readonly classifier: ClassifierSite,
    private readonly network: AnyBatch,
    weight: Handle,
    bias: Handle | null,
  ) {
    super(source, classifier.name, new Tensor(weight), bias === null ? null : new Tensor(bias));
  }

  /**
   * Loads a TorchScript classifier, scripted or traced. Throws FileError where the file is none, TeacherError where its
   * classifier cannot be found (the candidates are named) or where it was exported in training mode.
   */
  static load(file: string, { tap, device = 'cpu' }: ScriptTeacherOptions = {}): ScriptTeacher {
    checkCall('ScriptTeacher.load', ['file'], kinds, arguments);
    return ScriptTeacher.of(ScriptModule.load(file, { device }), tap);
  }

  /**
   * Loads a program of torch.export.save (`.pt2`). Throws FileError where the file is damaged, TeacherError where the
   * program uses what is not supported (it is named), or its classifier cannot be found.
   */
  static async loadExported(file: string, { tap, device = 'cpu' }: ScriptTeacherOptions = {}): Promise<ScriptTeacher> {
    checkCall('ScriptTeacher.loadExported', ['file'], kinds, arguments);
    const { module, batch } = await loadExported(file, { device });
    return ScriptTeacher.of(module, tap, batch);
  }

  /** The classifier of a module, which is disposed. `batch` is the only number of images that it may take. */
  private static of(module: ScriptModule, tap: string | undefined, batch?: number): ScriptTeacher {
    const { file } = module;
    try {
      const found = findClassifier(module, tap);
      refuseTraining(file, found);
      const { tapped, site, weight, bias, leadingSizes } = found;
      if (tapped === null || !site || weight === undefined) throw new TeacherError(whyNot(file, found));
      const sizes = batch === undefined ? leadingSizes : [...new Set([batch, ...leadingSizes])];
      const network = new AnyBatch(new FrozenGraph(tapped), sizes);
      return new ScriptTeacher(file, describeSite(site, found.sites), network, weight, bias ?? null);
    } finally {
      module.dispose();
    }
  }

  /** Feature, logits, and the last map where there is one, of images [N, C, H, W], without gradient. */
  forward(images: Tensor): Features {
    return this.features(this.run(this.network, images));
  }

  /** Returns a form with normalizations folded into convolutions. */
  accelerated(images: Tensor, precision: Precision = 'float32'): FastForm | undefined {
    return scope(() => {
      const { graph, sizes } = this.network;
      const folded = new AnyBatch(precision === 'float32' ? graph.folded() : graph.narrowed(precision), sizes);
      const form = {
        forward: (batch: Tensor) => this.features(exactly(this.device, () => this.run(folded, batch))),
        dispose: () => folded.graph.dispose(),
      };
      const isRight = () =>
        mayStandIn(
          () => folded.run(images),
          () => this.run(this.network, images),
          this.device,
          precision,
        );
      try {
        if (isRight()) return form;
      } catch {
        // An error of the folded form says nothing about the teacher itself.
      }
      form.dispose();
      return undefined;
    });
  }

  fingerprint(): string {
    return createHash('sha256').update(readFileSync(this.source)).update(this.classifier.name).digest('hex');
  }

  override dispose(): void {
    this.network.graph.dispose();
    super.dispose();
  }

  private run(network: AnyBatch, images: Tensor): (Tensor | null)[] {
    try {
      return network.run(images);
    } catch (error) {
      throw new TeacherError(
        `The teacher ${this.source} does not take images [${images.shape.join(', ')}]: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  private features(outputs: (Tensor | null)[]): Features {
    const [logits, feature, map] = outputs as [Tensor, Tensor, Tensor | null];
    // Averaging and a 1x1 convolution commute, so the averaged input is the feature of the averaged output.
    if (this.classifier.convolution) {
      const isMap = feature.shape.slice(2).some((size) => size > 1);
      return {
        pooled: F.globalAvgPool(feature),
        logits: F.globalAvgPool(logits),
        ...mapOf(isMap ? feature : map, feature),
      };
    }
    if (feature.ndim !== 2) {
      throw new TeacherError(
        `The classifier ${this.classifier.name} of ${this.source} works on [${feature.shape.join(', ')}], not on one feature per image.`,
      );
    }
    return { pooled: feature, logits, ...mapOf(map, feature) };
  }
}

/** Returns the last map, if the feature is its average over all positions. */
function mapOf(map: Tensor | null, feature: Tensor): Pick<Features, 'map' | 'stages'> {
  return map?.ndim === 4 && map.shape[1] === feature.shape[1] ? { map, stages: [map] } : { stages: [] };
}

function findClassifier({ handle, file }: ScriptModule, tap: string | undefined): ScriptTap {
  const found = native().scriptTap(handle, -1);
  return tap === undefined ? found : native().scriptTap(handle, siteNamed(file, tap, found.sites));
}

const nameOf = (site: ScriptSite, sites: ScriptSite[]): string => site.path || `linear ${sites.indexOf(site)}`;

function describeSite(site: ScriptSite, sites: ScriptSite[]): ClassifierSite {
  const number = sites.findIndex((other) => JSON.stringify(other) === JSON.stringify(site));
  return {
    name: site.path || `linear ${number}`,
    numClasses: site.classes,
    featureChannels: site.width,
    convolution: site.convolution,
  };
}

function siteNamed(file: string, tap: string, sites: ScriptSite[]): number {
  const names = sites.map((site) => nameOf(site, sites));
  // A module that runs several times has several sites; its last is the one nearest to the result.
  const number = names.lastIndexOf(tap);
  if (number >= 0) return number;
  throw new TeacherError(
    `--tap ${tap}: ${file} has no linear layer of that name; there are ${names.join(', ') || 'none'}.${didYouMean(tap, names)}`,
  );
}

function refuseTraining(file: string, { training }: ScriptTap): void {
  if (training.length === 0) return;
  throw new TeacherError(
    `${file} was exported in training mode (${training.join(', ')}).\nCall model.eval() before torch.export.export or torch.jit.trace and export it again.`,
  );
}

function whyNot(file: string, { sites, classifiers, obstacle }: ScriptTap): string {
  const list = (some: ScriptSite[]) =>
    some.map((site) => `${nameOf(site, sites)} (${site.width} -> ${site.classes})`).join(', ');
  if (classifiers.some((site) => site.nested)) {
    return `${file} runs its classifier ${list(classifiers)} inside a condition or loop, where its input cannot be tapped.\nExport it with torch.export.save(torch.export.export(model, (images,)), 'teacher.pt2'), or torch.jit.trace.`;
  }
  if (classifiers.length > 1)
    return `${file} has ${classifiers.length} classifiers: ${list(classifiers)}.\nChoose one with --tap <path>.`;
  const between = obstacle ? ` (its result comes from ${obstacle})` : '';
  if (sites.length === 0)
    return `${file} has no linear classifier${between}: SRRL needs one at the end of the teacher.`;
  return `${file} does not end in a linear classifier${between}.\nIf one of ${list(sites)} is meant, name it with --tap <path>.`;
}

/** What is in a TorchScript file or exported program, for `srrl inspect`. */
export interface ScriptDescription {
  file: string;
  type: string;
  modules: { path: string; type: string }[];
  parameters: { name: string; shape: number[] }[];
  buffers: { name: string; shape: number[] }[];
  numParameters: number;
  /** Linear layers and 1x1 convolutions in order of execution. */
  linears: ClassifierSite[];
  /** The layer whose input is the penultimate feature; if it is absent, `problem` says why. */
  classifier?: ClassifierSite;
  problem?: string;
}

/** Describes a TorchScript file. Throws FileError if it is not one. */
export function inspectScript(file: string, { tap }: { tap?: string } = {}): ScriptDescription {
  checkCall('inspectScript', ['file'], { tap: 'string' }, arguments);
  return inspected(ScriptModule.load(file), tap);
}

/** Describes a program of torch.export.save. Throws FileError or TeacherError if it cannot be imported. */
export async function inspectExported(file: string, { tap }: { tap?: string } = {}): Promise<ScriptDescription> {
  checkCall('inspectExported', ['file'], { tap: 'string' }, arguments);
  return inspected((await loadExported(file)).module, tap);
}

function inspected(module: ScriptModule, tap: string | undefined): ScriptDescription {
  const { file } = module;
  try {
    const { type, modules, parameters, buffers } = native().scriptDescribe(module.handle);
    const found = findClassifier(module, tap);
    const sizes = parameters.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
    const problem =
      found.training.length > 0 ? `it was exported in training mode (${found.training.join(', ')})` : undefined;
    const description: ScriptDescription = {
      file,
      type,
      modules,
      parameters: parameters.map(({ name, shape }) => ({ name, shape })),
      buffers: buffers.map(({ name, shape }) => ({ name, shape })),
      numParameters: sizes.reduce((sum, size) => sum + size, 0),
      linears: found.sites.map((site) => describeSite(site, found.sites)),
    };
    if (problem) return { ...description, problem };
    return found.site
      ? { ...description, classifier: describeSite(found.site, found.sites) }
      : { ...description, problem: whyNot(file, found) };
  } finally {
    module.dispose();
  }
}
