import * as fc from 'fast-check';

/**
 * One seed for every property test of a run, so that a red run is red again. `SALLYPORT_PROPERTY_SEED=random` looks further than the
 * seed of `npm test`; fast-check prints the seed of what it finds, and the variable takes that too.
 */
const wanted = process.env.SALLYPORT_PROPERTY_SEED ?? '20260101';
if (wanted !== 'random') fc.configureGlobal({ seed: Number(wanted) });
