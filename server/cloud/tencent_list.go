package cloud

import (
	"context"
	"sync"
)

const (
	// onlinePageSize is how many streams a page of the list has: the most there are.
	onlinePageSize = 100

	// maxOnlineList is how many streams the list shows at the most.
	maxOnlineList = 20_000

	// maxConcurrentPages is how many pages are read at the same time. With answers in a
	// third of a second, from another continent, the longest list takes eight
	// seconds; more at once would not be less than its turns take.
	maxConcurrentPages = 8
)

// readOnlinePage is one page of the list.
type onlinePage struct {
	TotalNum   *int
	OnlineInfo []struct{ StreamName string }
}

// ForEachOnline names every stream that is pushed, DescribeLiveStreamOnlineList:
// https://www.tencentcloud.com/document/product/267/30798. The provider answers one
// page of it after the other, while streams begin and end, so that it returns
// ErrIncomplete when their number has changed meanwhile. After an error, what it has
// named is online all the same. each is called by one goroutine at a time.
func (t *Tencent) ForEachOnline(ctx context.Context, each func(code string)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	first, err := t.readOnlinePage(ctx, 1)
	if err != nil {
		return err
	}
	for _, s := range first.OnlineInfo {
		each(s.StreamName)
	}
	var (
		total = *first.TotalNum
		last  = (min(total, maxOnlineList) + onlinePageSize - 1) / onlinePageSize
		pages = make(chan int)
		wg    sync.WaitGroup

		mu      sync.Mutex // guards each and what follows
		named   = len(first.OnlineInfo)
		changed bool
	)
	for range min(maxConcurrentPages, last-1) {
		wg.Go(func() {
			for n := range pages {
				page, err := t.readOnlinePage(ctx, n)
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				named += len(page.OnlineInfo)
				changed = changed || *page.TotalNum != total
				for _, s := range page.OnlineInfo {
					each(s.StreamName)
				}
				mu.Unlock()
			}
		})
	}
	for n := 2; n <= last && ctx.Err() == nil; n++ {
		select {
		case pages <- n:
		case <-ctx.Done():
		}
	}
	close(pages)
	wg.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case changed, named != total:
		return ErrIncomplete
	}
	return nil
}

func (t *Tencent) readOnlinePage(ctx context.Context, n int) (page onlinePage, err error) {
	err = t.call(ctx, t.live, "DescribeLiveStreamOnlineList", struct {
		tencentStream
		PageNum, PageSize int
	}{t.streamName(""), n, onlinePageSize}, &page)
	if err == nil && (page.TotalNum == nil || *page.TotalNum < 0) {
		err = errMalformed
	}
	return page, err
}
