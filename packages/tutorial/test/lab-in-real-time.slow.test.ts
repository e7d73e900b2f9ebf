/** The lab's scenarios that go no faster than real time: beside them others run, and they beside each other. */
import { isInRealTime, tryScenarios } from './support/scenarios.ts'

tryScenarios(isInRealTime)
