/** Shows a loop picture by picture. Pure. */
import type { Picture } from '../timeline/timeline.ts';
import type { SlateLoop } from './encodeLoop.ts';

/** Where a loop stands. */
export class LoopPlayer {
  readonly loop: SlateLoop;
  #index = 0;

  constructor(loop: SlateLoop) {
    this.loop = loop;
  }

  next(): Picture {
    const { pictures } = this.loop;
    const picture = pictures[this.#index % pictures.length];
    if (picture === undefined) {
      throw new RangeError('a slate without pictures');
    }
    this.#index += 1;
    return picture;
  }

  /** The next picture is a keyframe: somebody joins. */
  restart(): void {
    this.#index = 0;
  }
}
