/**
 * Defects the simulator has to catch, as patches of the compiled product. Each `find` occurs once.
 */
export interface Mutant {
  readonly name: string;
  readonly patches: readonly Patch[];
}

export interface Patch {
  /** Below the folder of the compiled code. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const mutants: readonly Mutant[] = [];
