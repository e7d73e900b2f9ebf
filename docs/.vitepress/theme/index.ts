import { inBrowser, type Theme } from 'vitepress'
import DefaultTheme from 'vitepress/theme-without-fonts'
import ChapterList from './ChapterList.vue'
import ChapterPage from './ChapterPage.vue'
import CompareChapters from './CompareChapters.vue'
import CoreSource from './CoreSource.vue'
import LabRecording from './LabRecording.vue'
import Layout from './Layout.vue'
import { keepForOffline } from './offline.ts'
import { printLight } from './print.ts'
import SiteHome from './SiteHome.vue'
import './style.css'
import './reading.css'
import 'virtual:site/colors.css'

/** VitePress's theme, with what texts can use: `<ChapterList />` and so on. */
export default {
  extends: DefaultTheme,
  Layout,
  enhanceApp({ app }) {
    app
      .component('ChapterList', ChapterList)
      .component('ChapterPage', ChapterPage)
      .component('CompareChapters', CompareChapters)
      .component('CoreSource', CoreSource)
      .component('LabRecording', LabRecording)
      .component('SiteHome', SiteHome)
    if (inBrowser) printLight()
    if (inBrowser && IS_BUILT) keepForOffline()
  },
} satisfies Theme
